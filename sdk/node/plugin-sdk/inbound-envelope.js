export { createInboundEnvelopeBuilder } from './internal/envelope-format.js';
export { resolveInboundRouteEnvelopeBuilder, resolveInboundRouteEnvelopeBuilderWithRuntime } from './internal/envelope.js';
