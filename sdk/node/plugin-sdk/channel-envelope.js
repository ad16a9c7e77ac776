// Types only.
export {};
export { formatInboundEnvelope, resolveEnvelopeFormatOptions } from './internal/envelope-format.js';
