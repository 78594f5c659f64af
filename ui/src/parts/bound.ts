// What bounds a pod or container, in words: its limit, none, or one of some containers only.
import type { Num } from '../lib/api/types';
import { t } from '../lib/text/text';

/** A sum of limits below that of requests lacks those of some containers: nothing bounds the whole. */
export function boundWords({ request, limit }: { request: Num; limit: Num }, write: (value: Num) => string): string {
  if (limit === null || limit === 0) return t.pods.noLimit;
  return request !== null && limit < request ? t.pods.partLimit : `${t.pods.limit} ${write(limit)}`;
}
