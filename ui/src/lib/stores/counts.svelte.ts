// How many of each thing there are, for the navigation; asked for with every batch.
import { api } from '../api/client';
import type { Overview } from '../api/types';
import { Panel } from './panel.svelte';

export const counts = new Panel<Overview>();

export const loadCounts = (): Promise<void> => counts.load('', api.overview);
