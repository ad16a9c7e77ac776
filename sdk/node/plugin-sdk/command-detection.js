export { hasInlineCommandTokens, isControlCommandMessage, shouldComputeCommandAuthorized } from './internal/command-text.js';
export { hasControlCommand } from './internal/commands.js';
