package types

// PluginPurpose returns the purpose under which the core signs what a plugin of a kind, such as "oracle", asks it to sign for
// a purpose of its own. It is different for each kind, so that no plugin can have signed what another kind's signature means.
func PluginPurpose(kind, purpose string) string { return "plugin/" + kind + "/" + purpose }

// PluginSignBytes returns the bytes over which plugin.Host.Sign makes a signature: those of [SignBytes] with the purpose that
// [PluginPurpose] returns. Whoever has the key's public half verifies with [VerifySignature].
func PluginSignBytes(chain Hash, kind, purpose string, payload []byte) []byte {
	return SignBytes(chain, PluginPurpose(kind, purpose), payload)
}
