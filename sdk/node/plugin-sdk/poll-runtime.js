// Types only.
export {};
export { normalizePollDurationHours, normalizePollInput, resolvePollMaxSelections } from './internal/media/polls.js';
