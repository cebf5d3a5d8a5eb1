# Says which hosts JupyterHub's hooks give to the names in a file: of a user, of a service, and of a user by the old hook.
import json
import sys

from jupyterhub.utils import subdomain_hook_idna as idna
from jupyterhub.utils import subdomain_hook_legacy as legacy

with open(sys.argv[1]) as f:
    names = list(json.load(f))
domain = "hub.example"
json.dump({n: [idna(n, domain, "user"), idna(n, domain, "service"), legacy(n, domain, "user")] for n in names}, sys.stdout)
