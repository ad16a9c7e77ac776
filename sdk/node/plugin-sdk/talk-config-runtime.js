export { resolveActiveTalkProviderConfig } from './internal/talk-config.js';
