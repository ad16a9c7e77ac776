export { ToolAuthorizationError, ToolInputError, createActionGate, jsonResult, readNumberParam, readPositiveIntegerParam, readReactionParams, readStringArrayParam, readStringOrNumberParam, readStringParam, textResult } from './internal/actions.js';
export { resolveAgentIdFromSessionKey } from './internal/session-keys.js';
