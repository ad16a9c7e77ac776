export { clearFinalizableDraftMessage, createArmableStallWatchdog, createChannelRunQueue, createDraftStreamLoop, createFinalizableDraftLifecycle, createFinalizableDraftStreamControls, createFinalizableDraftStreamControlsForState, createRunStateMachine, keepHttpServerTaskAlive, takeMessageIdAfterStop } from './internal/drafts.js';
export { deliverFinalizableDraftPreview } from './internal/live-preview.js';
export { createAccountStatusSink, runPassiveAccountLifecycle, waitUntilAbort } from './internal/status.js';
