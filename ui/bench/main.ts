// Eight graphs of twenty series for `npm run bench`, filled from the page's console.
import { mount } from 'svelte';
import '../src/app.css';
import Bench from './Bench.svelte';

const target = document.getElementById('app');
if (target) mount(Bench, { target });
