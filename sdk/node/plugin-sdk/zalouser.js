// Types only.
export {};
export { resolveSenderCommandAuthorization, resolveSenderCommandAuthorizationWithRuntime } from './internal/sender-access.js';
