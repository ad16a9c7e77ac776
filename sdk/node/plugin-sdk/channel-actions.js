export { ToolAuthorizationError, createActionGate, createUnionActionGate, jsonResult, readNumberParam, readPositiveIntegerParam, readReactionParams, readStringArrayParam, readStringOrNumberParam, readStringParam, resolveReactionMessageId } from './internal/actions.js';
export { resolvePollMaxSelections } from './internal/media/polls.js';
