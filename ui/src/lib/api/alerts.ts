// Alerts, their history, silences, rules and where they are sent.
import { base } from '../base';
import type { Num } from './types';
import { ask, list, received, refusal } from './client';

export type AlertState = 'firing' | 'pending' | 'resolved';

export interface Alert {
  id: string;
  name: string;
  state: AlertState;
  severity: string;
  group: string;
  file: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** A text where JSON has no such number. */
  value: number | string;
  expression: string;
  activeAt: number;
  firedAt: Num;
  resolvedAt: Num;
  /** Ids of silences. */
  silencedBy: string[];
}

export interface Alerts {
  timestamp: number;
  total: number;
  counts: { firing: number; pending: number; resolved: number; silenced: number };
  items: Alert[];
}

export interface Change {
  at: number;
  id: string;
  name: string;
  state: AlertState | 'dropped';
  severity: string;
  labels: Record<string, string>;
  value: number | string;
  summary: string;
  silenced: boolean;
}

export interface Matcher {
  name: string;
  value: string;
  isRegex: boolean;
  isEqual: boolean;
}

export interface Silence {
  id: string;
  matchers: Matcher[];
  startsAt: number;
  endsAt: number;
  createdBy: string;
  comment: string;
  updatedAt: number;
  state: 'pending' | 'active' | 'expired';
  alerts: number;
}

export interface Rule {
  name: string;
  type: 'alerting' | 'recording';
  expression: string;
  forMs: number;
  keepFiringForMs: number;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  state: 'inactive' | 'pending' | 'firing' | null;
  alerts: number;
  health: 'ok' | 'err' | 'unknown';
  error: string | null;
}

export interface RuleGroup {
  name: string;
  file: string;
  intervalMs: number;
  lastEvaluation: Num;
  tookMs: Num;
  rules: Rule[];
}

export interface Receiver {
  kind: string;
  to: string;
  sent: number;
  failed: number;
  dropped: number;
  failure: string | null;
  lastSuccess: Num;
}

export interface AlertQuery {
  state?: string;
  severity?: string;
  search?: string;
  silenced?: string;
  limit?: number;
  offset?: number;
}

export interface HistoryQuery {
  from: number;
  to: number;
  state?: string;
  name?: string;
  limit?: number;
  offset?: number;
}

export type NewSilence = Pick<Silence, 'matchers' | 'createdBy' | 'comment'> & { durationMs: number };

export const alerts = {
  list: (query: AlertQuery, signal?: AbortSignal) => ask<Alerts>(list('alerts', query), signal),
  history: (query: HistoryQuery, signal?: AbortSignal) => ask<{ total: number; items: Change[] }>(list('alerts/history', query), signal),
  rules: (signal?: AbortSignal) => ask<{ timestamp: number; groups: RuleGroup[] }>('alerts/rules', signal),
  silences: (signal?: AbortSignal) => ask<{ items: Silence[] }>('alerts/silences', signal),
  receivers: (signal?: AbortSignal) => ask<{ items: Receiver[] }>('alerts/receivers', signal),
  silence: (silence: NewSilence) => ask<{ id: string }>('alerts/silences', undefined, silence),
  expire: (id: string) => received<{ id: string }>(new URL(`api/taffrail/v1/alerts/silences/${encodeURIComponent(id)}`, base), { method: 'DELETE' }, undefined, 20_000, refusal),
};
