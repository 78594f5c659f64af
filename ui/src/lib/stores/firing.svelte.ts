// The alerts that fire now, for the head of every page; asked for with every batch.
import { alerts, type Alerts } from '../api/alerts';
import { Panel } from './panel.svelte';

export const firing = new Panel<Alerts>();

/** The newest that are told in the head; the page has all. */
export const MOST_FIRING = 20;

export const loadFiring = (): Promise<void> => firing.load('', (signal) => alerts.list({ state: 'firing', silenced: 'false', limit: MOST_FIRING }, signal));
