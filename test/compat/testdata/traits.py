# Prints the options of the JupyterHub that is installed, by the table of ours that they belong in.
import json
from jupyterhub.app import JupyterHub
from jupyterhub.spawner import LocalProcessSpawner, Spawner
from jupyterhub.auth import Authenticator, LocalAuthenticator, PAMAuthenticator
from jupyterhub.proxy import ConfigurableHTTPProxy, Proxy
from jupyterhub.services.service import Service
classes = {"hub": [JupyterHub], "spawner": [Spawner, LocalProcessSpawner],
           "authenticator": [Authenticator, LocalAuthenticator, PAMAuthenticator], "proxy": [Proxy, ConfigurableHTTPProxy]}
tables = {table: sorted({t for c in of for t in c.class_own_traits(config=True)}) for table, of in classes.items()}
tables["hub.services"] = sorted(Service.class_own_traits(input=True))
print(json.dumps(tables, indent=1))
