export { sanitizeTerminalText } from './internal/plain-text.js';
export { castAgentMessage, countLines, hasBalancedFences, importFreshModule, makeAgentAssistantMessage, makeAgentUserMessage, typedCases, writeSkill } from './internal/testing/texts.js';
export { createCliRuntimeCapture } from './internal/testing/wizard.js';
