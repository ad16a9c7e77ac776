export { createLegacyPrivateNetworkDoctorContract, isPrivateIpAddress, isPrivateNetworkOptInEnabled } from './internal/ssrf.js';
