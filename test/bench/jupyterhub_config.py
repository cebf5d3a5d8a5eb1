# The JupyterHub that ours is compared with: sqlite, systemdspawner, a configurable-http-proxy that outlives it.
import json
import os

c = get_config()  # noqa: F821
c.JupyterHub.bind_url = "http://127.0.0.1:18000"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:18081"
c.JupyterHub.db_url = "sqlite:////var/lib/bench/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = "/var/lib/bench/cookie_secret"
c.JupyterHub.cleanup_servers = False
c.JupyterHub.cleanup_proxy = False
c.JupyterHub.concurrent_spawn_limit = 0
c.JupyterHub.api_page_max_limit = 1000
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:18001"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "systemdspawner.SystemdSpawner"
c.Spawner.cmd = [os.environ["BENCH_COMMAND"]]
c.Spawner.mem_limit = "2G"
c.Spawner.cpu_limit = 2.0
c.SystemdSpawner.unit_name_template = "bench-server-{USERNAME}"
c.JupyterHub.services = [{"name": "bench", "api_token": os.environ["BENCH_TOKEN"]}]
c.JupyterHub.load_roles = [
    {
        "name": "bench",
        "services": ["bench"],
        "scopes": ["admin:users", "admin:servers", "list:users", "tokens", "users:activity", "access:servers"],
    }
]

# Who asks for it gets the sandbox of ours: systemdspawner's own is next to nothing.
with open("/var/lib/bench/sandbox.json") as f:
    sandbox = json.load(f)


def choose(spawner):
    spawner.unit_extra_properties = dict(sandbox) if spawner.user_options.get("sandbox") else {}


c.Spawner.pre_spawn_hook = choose
