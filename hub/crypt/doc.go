// Package crypt seals what the hub has to be able to read again, such as what an authenticator keeps about a user; what is only
// compared is hashed instead, in hub/store.
//
// It owns the keys as an admin writes them (JupyterHub's JUPYTERHUB_CRYPT_KEY: several, the first of which seals and all of which
// open), the key that is derived from each for this one use, and the form of what is sealed.
//
// It must not know where keys come from, what is sealed, or where that is kept.
//
// Way in: Parse, then Seal and Open. Way out: none.
//
// Caveats: what is sealed is bound to what it is about, and opens for nothing else. Its length tells the length of what is in it.
package crypt
