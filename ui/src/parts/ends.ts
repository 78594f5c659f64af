// How a container ended last, in words. Reasons are others' text: tables and rows show their beginning.
import type { End } from '../lib/api/types';
import { moment } from '../lib/format';
import { short } from '../lib/short';
import { t } from '../lib/text/text';

const LONGEST = 40;

export const reasonOf = ({ reason, exitCode }: End): string => short(reason, LONGEST) || t.containers.exit(exitCode);

export const endWords = ({ reason, exitCode, finished }: End, now: number): string => t.trouble.lastEnd(short(reason, LONGEST), exitCode, moment(finished, now));
