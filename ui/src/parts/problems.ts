// What is wrong with the cluster or its collection, in the order in which to read it. Targets that
// failed alike are one problem. It knows the API's answers, not how problems are drawn.
import type { ApiError } from '../lib/api/error';
import type { Overview, StatusProblem, TargetItem } from '../lib/api/types';
import { t } from '../lib/text/text';

export interface Problem {
  key: string;
  level: 'bad' | 'warn';
  title: string;
  /** Names of nodes it concerns. */
  names: string[];
  hop: string;
  reason: string;
  advice: string;
  /** Since when, for the one that lasts longest. */
  since: number | null;
  lastSuccess: number | null;
}

const NONE = { names: [], hop: '', advice: '', since: null, lastSuccess: null };

function fromTargets(targets: TargetItem[]): Problem[] {
  const groups = new Map<string, TargetItem[]>();
  for (const target of targets) {
    if (target.state === 'up') continue;
    // Reasons name the node's own address: without it equal failures are equal.
    const key = [target.state, target.hop ?? '', (target.reason ?? '').replaceAll(/\d{1,3}(\.\d{1,3}){3}(:\d+)?/g, '·').replaceAll(target.node, '·'), target.advice ?? ''].join('|');
    groups.set(key, [...(groups.get(key) ?? []), target]);
  }
  return [...groups].map(([key, members]) => {
    const failed = members[0]?.state === 'failed';
    const least = (pick: (target: TargetItem) => number | null): number | null => {
      const known = members.map(pick).filter((value) => value !== null);
      return known.length > 0 ? Math.min(...known) : null;
    };
    return {
      key,
      level: failed ? 'bad' : 'warn',
      title: failed ? t.problems.target(members.length) : t.problems.skipped(members.length),
      names: members.map((target) => target.node),
      hop: members[0]?.hop ?? '',
      reason: members[0]?.reason ?? '',
      advice: members[0]?.advice ?? '',
      since: least((target) => target.since),
      lastSuccess: least((target) => target.lastSuccess),
    };
  });
}

export interface Evidence {
  overview: Overview | null;
  targets: TargetItem[];
  /** Of the whole process. */
  own: StatusProblem[];
  errors: (ApiError | null)[];
  /** Age of the newest batch and the usual interval, where it is overdue. */
  overdue: { age: string; interval: string } | null;
}

export function problems({ overview, targets, own, errors, overdue }: Evidence): Problem[] {
  const found: Problem[] = [];
  for (const error of new Map(errors.flatMap((error) => (error ? [[error.reason, error]] : []))).values()) {
    found.push({ ...NONE, key: `api ${error.reason}`, level: 'bad', title: t.problems.api, reason: error.reason, advice: error.advice });
  }
  if (overdue) found.push({ ...NONE, key: 'overdue', level: 'bad', title: t.problems.stale, reason: t.problems.staleBody(overdue.age, overdue.interval) });
  for (const { about, hop, reason, advice, since } of own) {
    found.push({ ...NONE, key: `own ${about} ${reason}`, level: 'bad', title: t.problems.own(about), hop: hop ?? '', reason: reason ?? '', advice: advice ?? '', since });
  }
  found.push(...fromTargets(targets));
  const explained = new Set(found.flatMap((problem) => problem.names));
  const notReady = overview?.nodes.notReady ?? [];
  if (notReady.length > 0) {
    const also = notReady.every((name) => explained.has(name));
    found.push({ ...NONE, key: 'not ready', level: also ? 'warn' : 'bad', title: t.problems.notReady(notReady.length), names: notReady, reason: t.problems.notReadyBody });
  }
  return found.sort((a, b) => Number(a.level === 'warn') - Number(b.level === 'warn'));
}
