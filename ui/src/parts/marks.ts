// What graphs mark: how containers ended.
import type { ContainerItem } from '../lib/api/types';
import type { Mark } from '../lib/chart/marks';
import { t } from '../lib/text/text';

export function marksOf(containers: ContainerItem[]): Mark[] {
  return containers.flatMap(({ name, last, started, restarts }) => {
    const found: Mark[] = [];
    if (last?.finished) {
      const bad = last.exitCode !== 0 || last.reason === 'OOMKilled';
      found.push({ at: last.finished, level: bad ? 'bad' : 'calm', label: t.containers.ended(name, last.reason || t.containers.exit(last.exitCode)) });
    }
    if (started !== null && (restarts ?? 0) > 0) found.push({ at: started, level: 'warn', label: t.containers.restarted(name) });
    return found;
  });
}
