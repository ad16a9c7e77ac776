export { resolveChannelAllowFromPath } from './internal/pairing-files.js';
