# Prints the options of the JupyterHub that is installed, by the table of ours that they belong in.
import json
from jupyterhub.app import JupyterHub
from jupyterhub.spawner import LocalProcessSpawner, Spawner
from jupyterhub.auth import Authenticator, LocalAuthenticator, PAMAuthenticator
from jupyterhub.proxy import ConfigurableHTTPProxy, Proxy
classes = {"hub": [JupyterHub], "spawner": [Spawner, LocalProcessSpawner],
           "authenticator": [Authenticator, LocalAuthenticator, PAMAuthenticator], "proxy": [Proxy, ConfigurableHTTPProxy]}
print(json.dumps({table: sorted({t for c in of for t in c.class_own_traits(config=True)}) for table, of in classes.items()}, indent=1))
