export { createActionGate, createUnionActionGate, imageResultFromFile, jsonResult, readNonNegativeIntegerParam, readNumberParam, readPositiveIntegerParam, readReactionParams, readStringArrayParam, readStringOrNumberParam, readStringParam, resolveReactionMessageId, ToolAuthorizationError } from './internal/actions.js';
export { resolvePollMaxSelections } from './internal/media/polls.js';
export { assertMediaNotDataUrl, createMessageToolButtonsSchema, createMessageToolCardSchema, listTokenSourcedAccounts, optionalFiniteNumberSchema, optionalNonNegativeIntegerSchema, optionalPositiveIntegerSchema, optionalStringEnum, parseAvailableTags, stringEnum } from './internal/message-schemas.js';
export { withNormalizedTimestamp } from './internal/timestamps.js';
