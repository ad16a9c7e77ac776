//! Compatibility codes: which older manifest features a plugin uses (MAN-149, MAN-151, MAN-172).

use super::Manifest;

/// Code for `providerAuthEnvVars` (MAN-149).
pub const PROVIDER_AUTH_ENV_VARS: &str = "provider-auth-env-vars";

/// Code for `channelEnvVars` (MAN-151).
pub const CHANNEL_ENV_VARS: &str = "channel-env-vars";

impl Manifest {
    /// The `compat` list of a plugin record, sorted.
    pub fn compat_codes(&self) -> Vec<&'static str> {
        let activation = &self.activation;
        let uses = [
            (PROVIDER_AUTH_ENV_VARS, !self.provider_auth_env_vars.is_empty()),
            (CHANNEL_ENV_VARS, !self.channel_env_vars.is_empty()),
            ("activation-provider-hint", !activation.on_providers.is_empty()),
            ("activation-agent-harness-hint", !activation.on_agent_harnesses.is_empty()),
            ("activation-command-hint", !activation.on_commands.is_empty()),
            ("activation-channel-hint", !activation.on_channels.is_empty()),
            ("activation-route-hint", !activation.on_routes.is_empty()),
            ("activation-config-path-hint", !activation.on_config_paths.is_empty()),
            ("activation-capability-hint", !activation.on_capabilities.is_empty()),
        ];
        let mut codes: Vec<_> = uses.into_iter().filter_map(|(code, used)| used.then_some(code)).collect();
        codes.sort_unstable();
        codes
    }
}
