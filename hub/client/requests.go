package client

import "encoding/json"

// UserChange is the body of PATCH /users/U. What is nil stays as it is.
type UserChange struct {
	Name  *string `json:"name,omitempty"`
	Admin *bool   `json:"admin,omitempty"`
	// AuthState is an object; the hub refuses it while it has no key to seal it with.
	AuthState json.RawMessage `json:"auth_state,omitempty"`
}

// ServerChange is the body of PATCH /users/U/servers/S.
type ServerChange struct {
	Name        *string         `json:"name,omitempty"`
	DisplayName *string         `json:"display_name,omitempty"`
	UserOptions json.RawMessage `json:"user_options,omitempty"`
}

// CreateGroups is the body of POST /groups. Each group gets all of the users.
type CreateGroups struct {
	Groups []string `json:"groups"`
	Users  []string `json:"users,omitempty"`
}

// GroupRequest is the body of POST /groups/G.
type GroupRequest struct {
	Users []string `json:"users,omitempty"`
	Roles []string `json:"roles,omitempty"` // an admin's to give
}

// Members is the body of POST and DELETE /groups/G/users.
type Members struct {
	Users []string `json:"users"`
}

// ServiceRequest is the body of POST /services/X. With a URL, or anything of OAuth, the service is an OAuth client whose secret is
// its API token.
type ServiceRequest struct {
	URL                      string         `json:"url,omitempty"` // where the proxy leads /services/X/
	APIToken                 string         `json:"api_token,omitempty"`
	Admin                    bool           `json:"admin,omitempty"`
	Info                     map[string]any `json:"info,omitempty"`
	Display                  *bool          `json:"display,omitempty"` // nil means true
	OAuthClientID            string         `json:"oauth_client_id,omitempty"`
	OAuthRedirectURI         string         `json:"oauth_redirect_uri,omitempty"`
	OAuthClientAllowedScopes []string       `json:"oauth_client_allowed_scopes,omitempty"`
	OAuthNoConfirm           bool           `json:"oauth_no_confirm,omitempty"`
}

// Role is a role, which is ours to list: GET /roles.
type Role struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Scopes      []string `json:"scopes"` // as the configuration has them
	Users       []string `json:"users"`  // whom the configuration gives it to
	Services    []string `json:"services"`
	Groups      []string `json:"groups"`
}
