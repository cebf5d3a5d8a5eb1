package client

// Name is a user or a group of which a model says the name alone.
type Name struct {
	Name string `json:"name"`
}

// SharedServer is what whoever a server is shared with may know of it.
type SharedServer struct {
	User    Name   `json:"user"` // its owner
	Name    string `json:"name"`
	URL     string `json:"url"`
	FullURL Text   `json:"full_url"`
	Ready   bool   `json:"ready"`
}

// Share is a share as the API shows it. One of User and Group is null.
type Share struct {
	Server    SharedServer `json:"server"`
	Scopes    []string     `json:"scopes"` // sorted, each with the server's filter
	User      *Name        `json:"user"`
	Group     *Name        `json:"group"`
	Kind      string       `json:"kind"` // user, group
	CreatedAt Time         `json:"created_at"`
}

// ShareCode is a code for a share as the API shows it. Its value and where to accept it are in the reply to its creation, and
// never again.
type ShareCode struct {
	Server          SharedServer `json:"server"`
	Scopes          []string     `json:"scopes"`
	ID              string       `json:"id"` // "sc_5"
	CreatedAt       Time         `json:"created_at"`
	ExpiresAt       Time         `json:"expires_at"`
	ExchangeCount   int          `json:"exchange_count"`
	LastExchangedAt Time         `json:"last_exchanged_at"`
	Code            string       `json:"code,omitempty"`
	AcceptURL       string       `json:"accept_url,omitempty"`
	FullAcceptURL   Field[Text]  `json:"full_accept_url,omitzero"`
}

// ShareRequest is the body of POST and PATCH /shares/U/S: one of User and Group. Without scopes POST shares access, and PATCH
// takes back all.
type ShareRequest struct {
	User   string   `json:"user,omitempty"`
	Group  string   `json:"group,omitempty"`
	Scopes []string `json:"scopes,omitempty"`
}

// ShareCodeRequest is the body of POST /share-codes/U/S.
type ShareCodeRequest struct {
	Scopes    []string `json:"scopes,omitempty"`
	ExpiresIn int64    `json:"expires_in,omitempty"` // seconds; 0 means a day
}
