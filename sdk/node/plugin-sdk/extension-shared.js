export { buildPassiveChannelStatusSummary, buildPassiveProbedChannelStatusSummary, buildTrafficStatusSummary, canResolveEnvSecretRefInReadOnlyPath, coerceStatusIssueAccountId, createDeferred, readPluginPackageVersion, readStatusIssueFields, requireChannelOpenAllowFrom, resolveAmbientNodeProxyAgent } from './internal/passive-channel.js';
export { formatPluginConfigIssue, mapPluginConfigIssues, normalizePluginConfigIssuePath, safeParseJsonWithSchema, safeParseWithSchema } from './internal/plugin-config.js';
export { resolveLoggerBackedRuntime } from './internal/runtime-io.js';
export { runStoppablePassiveMonitor } from './internal/status.js';
export { buildTimeoutAbortSignal } from './internal/timeout-signal.js';
