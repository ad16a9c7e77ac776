export { createConnectedChannelStatusPatch, createTransportActivityStatusPatch } from './internal/status.js';
