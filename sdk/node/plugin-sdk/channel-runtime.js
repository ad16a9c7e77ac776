export { normalizeChatType } from './internal/accounts.js';
export { keepHttpServerTaskAlive } from './internal/drafts.js';
export { recordChannelActivity } from './internal/inbound-facts.js';
export { normalizePollDurationHours, normalizePollInput, resolvePollMaxSelections } from './internal/media/polls.js';
export { reduceInteractiveReply } from './internal/presentation.js';
export { createAccountStatusSink, waitUntilAbort } from './internal/status.js';
export { waitForTransportReady } from './internal/transport-ready.js';
export { createReplyPrefixContext, createReplyPrefixOptions, createTypingCallbacks } from './internal/typing.js';
