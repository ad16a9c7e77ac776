export { resolveConfiguredCapabilityProvider, resolveProviderRawConfig, selectConfiguredOrAutoProvider } from './internal/capability-providers.js';
