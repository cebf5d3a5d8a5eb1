package hub

import "encoding/json"

// Prompt is one question of a login conversation (PAM's PAM_PROMPT_ECHO_OFF and _ON).
type Prompt struct {
	Text string `json:"text"` // "Password: ", "Verification code: "
	Echo bool   `json:"echo"` // whether the answer may be shown as it is typed
}

// Step is where a login conversation stands: questions to answer, or, with Account set, its good end. A refusal is an
// error instead, of kind Forbidden, Expired or TooMany.
type Step struct {
	Messages []string `json:"messages,omitempty"` // what PAM wants to be shown (PAM_TEXT_INFO, PAM_ERROR_MSG)
	Prompts  []Prompt `json:"prompts,omitempty"`
	Account  *Account `json:"account,omitempty"`
	// AuthState is what the authenticator wants kept about the user, a JSON object; it comes with the account.
	AuthState json.RawMessage `json:"auth_state,omitempty"`
}
