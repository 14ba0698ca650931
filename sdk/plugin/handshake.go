package plugin

// What both sides of go-plugin's handshake must agree on. The protocol version is frozen: API versions are negotiated in
// Describe, where a mismatch can name both ranges.
const (
	ProtocolVersion = 1
	CookieKey       = "PALOALTO_PLUGIN"
	CookieValue     = "6f1e0a52-spawn-a-chain"
)

// Environment variables that a host sets besides those of go-plugin.
const (
	// EnvToken holds a secret of this start of the process, in hexadecimal digits. The host sends it with every call as
	// the metadata TokenKey; a plugin that checks it serves nobody else, whatever process finds its socket.
	EnvToken = "PALOALTO_PLUGIN_TOKEN"
	// EnvLifeline holds the number of an open file descriptor, the reading end of a pipe that nobody writes to. It ends
	// when the host is gone, however that came about.
	EnvLifeline = "PALOALTO_PLUGIN_LIFELINE"
)

// TokenKey is the key of the metadata that carries the token.
const TokenKey = "paloalto-token"

// HealthService is the service name to which the health service answers SERVING.
const HealthService = "plugin"
