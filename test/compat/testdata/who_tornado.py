"""A service that tells whoever comes who they are: with a browser by OAuth, with a token without."""

import json
import os

from jupyterhub.services.auth import HubAuthenticated, HubOAuthCallbackHandler, HubOAuthenticated
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler, authenticated

prefix = os.environ["JUPYTERHUB_SERVICE_PREFIX"]


class Who(HubOAuthenticated, RequestHandler):
    @authenticated
    def get(self):
        self.write(json.dumps(self.get_current_user()))


class WhoByToken(HubAuthenticated, RequestHandler):
    @authenticated
    def get(self):
        self.write(json.dumps(self.get_current_user()))


app = Application(
    [
        (prefix, Who),
        (prefix + "token", WhoByToken),
        (prefix + "oauth_callback", HubOAuthCallbackHandler),
    ],
    cookie_secret=os.urandom(32),
)
sockets = bind_sockets(0, "127.0.0.1")
HTTPServer(app).add_sockets(sockets)
print("port", sockets[0].getsockname()[1], flush=True)
IOLoop.current().start()
