export { resolveChannelContextVisibilityMode, resolveDefaultContextVisibility } from './internal/channel-config.js';
export { evaluateSupplementalContextVisibility, filterSupplementalContextItems, shouldIncludeSupplementalContext } from './internal/context-visibility.js';
