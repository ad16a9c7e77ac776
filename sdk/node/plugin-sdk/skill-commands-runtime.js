export { listSkillCommandsForAgents, listSkillCommandsForWorkspace } from './internal/text-commands.js';
