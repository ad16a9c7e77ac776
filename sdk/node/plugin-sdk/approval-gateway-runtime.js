export { resolveApprovalOverGateway } from './internal/host.js';
