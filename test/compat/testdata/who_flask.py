"""The same with Flask: HubOAuth used by hand, as JupyterHub's manual has it."""

import json
import os
from functools import wraps

from flask import Flask, Response, make_response, redirect, request, session
from jupyterhub.services.auth import HubOAuth
from werkzeug.serving import make_server

prefix = os.environ["JUPYTERHUB_SERVICE_PREFIX"]
auth = HubOAuth(api_token=os.environ["JUPYTERHUB_API_TOKEN"], cache_max_age=60)
app = Flask(__name__)
app.secret_key = os.urandom(32)


def authenticated(f):
    @wraps(f)
    def decorated(*args, **kwargs):
        token = session.get("token") or request.headers.get("Authorization", "").removeprefix("token ")
        # Whoever the hub said that is, they are until the session ends.
        session_id = request.cookies.get("jupyterhub-session-id", "")
        user = auth.user_for_token(token, session_id=session_id) if token else None
        if user:
            return f(user, *args, **kwargs)
        state = auth.generate_state(next_url=request.path)
        response = make_response(redirect(auth.login_url + "&state=" + state))
        response.set_cookie(auth.state_cookie_name, state)
        return response

    return decorated


@app.route(prefix)
@authenticated
def who(user):
    return Response(json.dumps(user), mimetype="application/json")


@app.route(prefix + "oauth_callback")
def oauth_callback():
    code = request.args.get("code")
    if code is None:
        return "Forbidden", 403
    state = request.args.get("state")
    if state is None or state != request.cookies.get(auth.state_cookie_name):
        return "Forbidden", 403
    session["token"] = auth.token_for_code(code)
    return make_response(redirect(auth.get_next_url(state) or prefix))


server = make_server("127.0.0.1", 0, app, threaded=True)
print("port", server.server_port, flush=True)
server.serve_forever()
