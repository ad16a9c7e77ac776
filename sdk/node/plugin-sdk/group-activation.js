// Types only.
export {};
export { normalizeGroupActivation, parseActivationCommand } from './internal/group-activation.js';
