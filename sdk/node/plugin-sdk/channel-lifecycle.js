export { createAccountStatusSink, runPassiveAccountLifecycle, waitUntilAbort } from './internal/status.js';
