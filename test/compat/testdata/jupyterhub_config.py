# The JupyterHub that conversations are held with: no accounts, and servers that answer from inside the hub. It has no proxy, or a
# configurable-http-proxy, whose command HUB_PROXY is, at ports from HUB_PORT on.
import json
import os
from inspect import isawaitable
from urllib.parse import quote

from jupyterhub.auth import DummyAuthenticator
from jupyterhub.proxy import Proxy
from jupyterhub.spawner import Spawner
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler

home = os.environ["HUB_HOME"]
with open(os.environ["HUB_SITE"]) as f:
    site = json.load(f)

class Table(Proxy):
    """A proxy that remembers its routes and forwards nothing."""

    should_start = False
    routes = {}

    async def get_all_routes(self):
        return dict(self.routes)

    async def add_route(self, routespec, target, data):
        self.routes[routespec] = {"routespec": routespec, "target": target, "data": data | {"last_activity": None}}

    async def delete_route(self, routespec):
        self.routes.pop(routespec, None)

class Anything(RequestHandler):
    """A user's server: whatever is asked, it is there."""

    def get(self):
        self.write("{}")

class Play(Spawner):
    """A server that does what its options say: fail, or hang until it is stopped."""

    running = None
    sockets = []

    async def start(self):
        import asyncio

        if self.user_options.get("play") == "fail":
            raise HTTPError(500, "The play says so.")
        if self.user_options.get("play") == "hang":
            await asyncio.Event().wait()
        if not self.sockets:
            self.sockets.extend(bind_sockets(0, "127.0.0.1"))
            HTTPServer(Application([(".*", Anything)])).add_sockets(self.sockets)
        self.running = True
        return ("127.0.0.1", self.sockets[0].getsockname()[1])

    async def stop(self, now=False):
        self.running = None

    async def poll(self):
        return None if self.running else 0

class Doors(DummyAuthenticator):
    """One password, and something to keep about Bob."""

    async def authenticate(self, handler, data):
        name = super().authenticate(handler, data)
        if isawaitable(name):
            name = await name
        return name and {"name": name, "auth_state": {"pam_environment": {"FROM": "login"}} if name == "bob" else None}

c = get_config()  # noqa: F821
c.Application.log_level = "WARN"
c.JupyterHub.db_url = f"sqlite:///{home}/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = f"{home}/cookie_secret"
if "HUB_PROXY" in os.environ:
    public, hub, api = (f"http://127.0.0.1:{int(os.environ['HUB_PORT']) + n}" for n in range(3))
    c.JupyterHub.bind_url, c.JupyterHub.hub_bind_url, c.ConfigurableHTTPProxy.api_url = public, hub, api
    c.ConfigurableHTTPProxy.command = [os.environ["HUB_PROXY"]]
else:
    c.JupyterHub.hub_bind_url = "http+unix://" + quote(f"{home}/hub.sock", safe="")
    c.JupyterHub.proxy_class = Table
c.JupyterHub.spawner_class = Play
c.JupyterHub.authenticator_class = Doors
c.Authenticator.allow_all = True
c.Authenticator.enable_auth_state = True
c.DummyAuthenticator.password = "secret"
c.JupyterHub.allow_named_servers = True
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 5, "slow_stop_timeout": 30}
c.JupyterHub.subdomain_host = os.environ.get("HUB_SUBDOMAIN_HOST", "")
c.JupyterHub.services = site["services"]
c.JupyterHub.load_roles = site["roles"]
c.JupyterHub.custom_scopes = site["custom_scopes"]
