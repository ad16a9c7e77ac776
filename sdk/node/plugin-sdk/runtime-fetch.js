export { fetchWithRuntimeDispatcher, fetchWithRuntimeDispatcherOrMockedGlobal, isMockedFetch } from './internal/fetch-tools.js';
