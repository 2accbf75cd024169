"""A stand-in for Chameleon: python-chi's names and signatures, and a folder instead of a node.

The signatures are those of python-chi 1.2.10 and fabric 3.2.3, and a test compares them. What is
"run on the node" is run by bash in the folder, so the commands of the control notebook are real.
"""

import inspect
import os
import shutil
import subprocess
import types
from pathlib import Path

VERSIONS = {"python-chi": "1.2.10", "fabric": "3.2.3"}
ADDRESS = "192.0.2.7"


class Testbed:
    """What the stand-ins share: the calls made, in order, and what shall go wrong."""

    __test__ = False  # no test class, whatever pytest makes of its name

    def __init__(self, home, free_types=("compute_skylake", "gpu_rtx_6000"), **status):
        self.home, self.free_types, self.status = Path(home), list(free_types), status
        self.calls, self.leases, self.servers = [], {}, {}
        self.home.mkdir(parents=True, exist_ok=True)

    def run(self, command):
        environment = os.environ | {"HOME": str(self.home)}
        done = subprocess.run(["bash", "-c", command], cwd=self.home, env=environment,
                              capture_output=True, text=True, timeout=60)  # fmt: skip
        if done.returncode:  # as fabric's UnexpectedExit
            raise RuntimeError(f"exit {done.returncode}: {command}\n{done.stdout}{done.stderr}")
        return done


def make_modules(bed):
    """Make the package `chi` for a testbed: modules by name, for `sys.modules`."""

    class Connection:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def run(self, command, **kwargs):
            bed.calls.append(("run", command))
            return bed.run(command)

        def get(self, remote, local=None, preserve_mode=True):
            bed.calls.append(("get", remote))
            shutil.copy2(bed.home / remote, local)

    class Lease:
        def __init__(self, name=None, start_date=None, end_date=None, duration=None,
                     lease_json=None):  # fmt: skip
            self.name, self.id, self.status = name, None, None
            self.node_reservations, self.fip_reservations = [], []

        def add_node_reservation(self, amount=None, node_type=None, node_name=None, nodes=None):
            self.node_reservations.append({"node_type": node_type, "min": amount})

        def add_fip_reservation(self, amount):
            self.fip_reservations.append({"amount": amount})

        def submit(self, wait_for_active=True, wait_timeout=300, show=None, idempotent=False,
                   retry_on_error=False):  # fmt: skip
            found = bed.leases.get(self.name)
            if found is None or not idempotent:
                bed.calls.append(("lease", self.node_reservations[0]["node_type"]))
                self.id, self.status = "lease-1", bed.status.get("lease", "ACTIVE")
                self.node_reservations[0]["id"] = "reservation-1"
                bed.leases[self.name] = found = self
            self.__dict__.update(found.__dict__)

        def get_reserved_floating_ips(self):
            return [ADDRESS] if self.fip_reservations else []

        def delete(self):
            bed.calls.append(("delete lease", self.name))
            bed.leases.pop(self.name)

    class Server:
        def __init__(self, name, reservation_id=None, image_name="CC-Ubuntu22.04", image=None,
                     flavor_name="baremetal", key_name=None, keypair=None,
                     network_name="sharednet1"):  # fmt: skip
            self.name, self.image_name, self.address = name, image_name, None
            self.reservation_id, self.status = reservation_id, None

        def submit(self, wait_for_active=True, show="widget", idempotent=False,
                   retry_on_error=False, wait_timeout=1200, **kwargs):  # fmt: skip
            found = bed.servers.get(self.name)
            if found is None or not idempotent:
                bed.calls.append(("server", self.image_name))
                right = self.reservation_id == "reservation-1"  # else it starts, and fails
                self.status = bed.status.get("server", "ACTIVE") if right else "ERROR"
                bed.servers[self.name] = found = self
            self.__dict__.update(found.__dict__)

        def get_floating_ip(self):
            return self.address

        def associate_floating_ip(self, fip=None, port_id=None):
            bed.calls.append(("address", fip))
            bed.servers[self.name].address = self.address = fip
            return fip

        def check_connectivity(self, wait=True, host=None, port=22, timeout=500, show="widget"):
            bed.calls.append(("connect", host))

        def ssh_connection(self, user="cc", **kwargs):
            return Connection()

        def upload(self, file, remote_path="", **kwargs):
            bed.calls.append(("upload", Path(file).name))
            shutil.copy2(file, bed.home / (remote_path or Path(file).name))

        def execute(self, command, **kwargs):
            bed.calls.append(("run", command))
            return bed.run(command)

        def delete(self, idempotent=False, delete_ips=True):
            bed.calls.append(("delete server", delete_ips))
            bed.servers.pop(self.name)

    def use_site(site_name):
        bed.calls.append(("site", site_name))

    def use_project(project):
        bed.calls.append(("project", project))

    def choose_project():
        bed.calls.append(("project", None))

    def get_nodes(all_sites=False, filter_reserved=False, gpu=None, min_number_cpu=None,
                  node_type=None):  # fmt: skip
        free = [kind for kind in bed.free_types if kind.startswith("gpu") or not gpu]
        return [types.SimpleNamespace(type=kind) for kind in free]

    def list_leases():
        return list(bed.leases.values())

    contents = {
        "context": [use_site, use_project, choose_project],
        "hardware": [get_nodes],
        "lease": [Lease, list_leases],
        "server": [Server],
    }
    chi = types.ModuleType("chi")
    modules = {"chi": chi}
    for name, members in contents.items():
        module = modules[f"chi.{name}"] = types.ModuleType(f"chi.{name}")
        for member in members:
            setattr(module, member.__name__, member)
        setattr(chi, name, module)
    # Not python-chi's own, but what its servers hand out; for the comparison.
    modules["fabric.transfer"] = types.ModuleType("fabric.transfer")
    modules["fabric.transfer"].Transfer = type("Transfer", (), {"get": Connection.get})
    modules["fabric"] = types.ModuleType("fabric")
    modules["fabric"].Connection = type("Connection", (), {"run": Connection.run})
    return modules


def list_members(modules):
    """Functions and methods of the stand-ins, by the name that `pkgutil.resolve_name` takes."""
    found = {}
    for place, module in modules.items():
        for name, member in vars(module).items():
            if inspect.isfunction(member):
                found[f"{place}:{name}"] = member
            elif inspect.isclass(member):
                methods = {k: v for k, v in vars(member).items() if inspect.isfunction(v)}
                found |= {f"{place}:{name}.{k}": method for k, method in methods.items()}
    return found
