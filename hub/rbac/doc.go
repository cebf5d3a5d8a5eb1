// Package rbac decides what a set of scopes opens: pure functions over one catalogue.
//
// It owns the catalogue of scopes with its hierarchy, the filters (!user, !group, !server, !service), the roles that always
// exist, custom scopes and roles, and the algebra of scope sets: Expand, Union, Intersect, Covers, Allows. All of it is
// JupyterHub 6's, so that its manual teaches ours.
//
// It must not know requests, storage, time or the configuration file. What it needs to know of the world (who is a member
// of which group) is a function that it is given, because membership is looked up at the moment of the question.
//
// Way in: New makes a Policy from the configured roles and custom scopes; Policy.User and Policy.Service say what an owner
// holds, Policy.Token what one of its tokens opens now. Way out: Set.Allows answers for one resource, Set.Horizon for a list,
// Set.List prints.
//
// Caveats: unknown means no: a scope that the catalogue does not know opens nothing wherever it comes from, and
// Policy.Check is there to tell whoever wrote it. A filtered scope never opens the whole house (the zero Resource).
package rbac
