export { createChannelHistoryWindow } from './internal/history.js';
