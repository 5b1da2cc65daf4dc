// SPDX-License-Identifier: Apache-2.0
// The dashboard: asks the API of its own server, nothing else. Text is only ever set as text, never as HTML.
'use strict';

const $ = (id) => document.getElementById(id);

function node(tag, props = {}, ...children) {
	const n = document.createElement(tag);
	for (const [key, value] of Object.entries(props)) {
		if (key in n)
			n[key] = value;
		else
			n.setAttribute(key, value);
	}
	n.append(...children.filter((c) => c !== null && c !== undefined));
	return n;
}

async function api(path, options) {
	const response = await fetch(path, options);
	const body = await response.json();
	if (!response.ok)
		throw new Error(body.detail || body.title || `the server answered ${response.status}`);
	return body;
}

const post = (path, body) => api(path, {
	method: 'POST',
	headers: body ? {'Content-Type': 'application/json'} : {},
	body: body ? JSON.stringify(body) : undefined,
});

const number = (n) => n === null ? '–' : n.toLocaleString('en-US');
const when = (text) => text ? new Date(text).toLocaleString() : '–';
const ended = (run) => ['completed', 'incomplete', 'failed', 'cancelled'].includes(run.state);

function say(id, text, good = false) {
	$(id).textContent = text;
	$(id).classList.toggle('good', good);
}

function empty(columns, text) {
	return node('tr', {}, node('td', {colSpan: columns, className: 'empty'}, text));
}

/* ---- readiness ---- */

async function showReadiness() {
	const pill = $('ready');
	try {
		const r = await (await fetch('/readyz')).json();
		const bad = r.checks.find((c) => !c.ok);
		pill.textContent = r.ready ? 'ready' : `not ready: ${bad ? bad.name : ''}`;
		pill.title = r.checks.map((c) => `${c.name}: ${c.detail}`).join('\n');
		pill.className = `pill ${r.ready ? 'good' : 'bad'}`;
	} catch {
		pill.textContent = 'no answer';
		pill.className = 'pill bad';
	}
}

/* ---- what is loaded ---- */

async function showZips() {
	const rows = (await api('/zipcodes?limit=1000')).items.map((z) => node('tr', {},
		node('td', {}, node('button', {type: 'button', className: 'link', onclick: () => searchZip(z.zipcode)}, z.zipcode)),
		node('td', {className: 'num'}, number(z.patients)),
		node('td', {className: 'num'}, number(z.observations)),
		node('td', {}, when(z.last_loaded_at)),
		node('td', {}, z.last_run_state ? node('span', {className: `pill ${z.last_run_state}`}, z.last_run_state) : '–'),
		node('td', {}, node('button', {type: 'button', className: 'quiet', onclick: () => load({zipcode: z.zipcode})}, 'Update'))));
	$('zips').replaceChildren(...(rows.length ? rows : [empty(6, 'Nothing yet: load a zip code.')]));
}

/* ---- runs ---- */

const streams = new Map();

const COUNTS = ['expected', 'fetched', 'landed', 'staged', 'inserted', 'updated', 'unchanged', 'deleted', 'rejected',
	'duplicates', 'moved', 'elsewhere', 'missing'];

function countsTable(run) {
	const line = (type) => node('tr', {}, node('th', {scope: 'row'}, type),
		...COUNTS.map((c) => node('td', {className: 'num'}, number(run[type][c]))));
	return node('div', {className: 'scroll'}, node('table', {},
		node('thead', {}, node('tr', {}, node('td'), ...COUNTS.map((c) => node('th', {scope: 'col', className: 'num'}, c)))),
		node('tbody', {}, line('Patient'), line('Observation'))));
}

async function act(run, what) {
	try {
		await post(`/runs/${run.run_id}/${what}`);
		say('load-message', '');
		await showRuns();
	} catch (error) {
		say('load-message', error.message);
	}
}

function drawRun(run) {
	const old = document.getElementById(`run-${run.run_id}`);
	const open = old ? old.querySelector('details').open : !ended(run);
	const done = run.patients_read, known = run.patients_known;
	const bar = node('progress', {max: Math.max(known, 1), 'aria-label': `Run of ${run.zipcode}: patients read`});
	if (known || ended(run))
		bar.value = ended(run) && run.state === 'completed' ? Math.max(known, 1) : done;
	const button = ended(run)
		? (run.state === 'completed' ? null : node('button', {type: 'button', className: 'quiet', onclick: () => act(run, 'retry')}, 'Retry'))
		: node('button', {type: 'button', className: 'quiet', disabled: run.cancel_requested, onclick: () => act(run, 'cancel')}, 'Cancel');
	const card = node('article', {id: `run-${run.run_id}`, className: 'run', 'aria-label': `Run of zip code ${run.zipcode}`},
		node('div', {className: 'run-head'},
			node('strong', {}, run.zipcode),
			node('span', {className: `pill ${run.state}`}, run.cancel_requested && !ended(run) ? 'ending' : run.state),
			node('span', {className: 'grow'}, `${run.kind}, ${ended(run) ? when(run.ended_at) : run.phase}`,
				` · ${number(done)} of ${number(known)} patients · ${number(run.Observation.fetched)} observations`),
			button),
		bar,
		run.error ? node('p', {className: 'why'}, run.error) : null,
		run.reconciliation ? node('p', {}, run.reconciliation) : null,
		node('details', {open}, node('summary', {}, 'Numbers'), countsTable(run)));
	if (old)
		old.replaceWith(card);
	return card;
}

function watch(run) {
	if (ended(run) || streams.has(run.run_id))
		return;
	const source = new EventSource(`/runs/${run.run_id}/events`);
	streams.set(run.run_id, source);
	source.addEventListener('progress', (e) => drawRun(JSON.parse(e.data)));
	source.addEventListener('end', (e) => {
		drawRun(JSON.parse(e.data));
		source.close();
		streams.delete(run.run_id);
		showZips();
	});
}

async function showRuns() {
	const runs = (await api('/runs?limit=10')).items;
	$('runs').replaceChildren(...(runs.length ? runs.map(drawRun) : [node('p', {className: 'empty'}, 'None yet.')]));
	runs.forEach(watch);
}

async function load(body) {
	try {
		const run = await post('/zipcodes', body);
		say('load-message', run.outcome === 'active' ? 'A run of this zip code is under way.' : 'Loading has begun.', true);
		await showRuns();
	} catch (error) {
		say('load-message', error.message);
	}
}

$('load').addEventListener('submit', (e) => {
	e.preventDefault();
	const zip = $('zip').value.trim();
	if (!/^[0-9]{5}$/.test(zip)) {
		say('load-message', 'A zip code has exactly five digits, for example 02139.');
		$('zip').focus();
		return;
	}
	load($('full').checked ? {zipcode: zip, full: true} : {zipcode: zip});
});

/* ---- patients and their observations ---- */

function patientRow(p) {
	const name = p.full_name || [p.first_name, p.family_name].filter(Boolean).join(' ') || p.id;
	return node('tr', {},
		node('td', {}, node('button', {type: 'button', className: 'link', onclick: () => showObservations(p, name)}, name)),
		node('td', {}, p.gender || '–'),
		node('td', {}, p.birth_date || '–'),
		node('td', {}, [p.address_line, p.city, p.state, p.postal_code].filter(Boolean).join(', ') || '–'),
		node('td', {}, node('code', {}, p.id)));
}

/* Fills a table from a list's page, and its button from the page's next link. */
async function showPage(path, table, button, row, columns, none, append = false) {
	const page = await api(path);
	const rows = page.items.map(row);
	if (append)
		$(table).append(...rows);
	else
		$(table).replaceChildren(...(rows.length ? rows : [empty(columns, none)]));
	$(button).hidden = !page.next;
	$(button).onclick = () => showPage(page.next, table, button, row, columns, none, true);
}

async function search() {
	const query = new URLSearchParams();
	for (const [name, value] of new FormData($('search')))
		if (value.trim())
			query.set(name, value.trim());
	query.set('limit', '50');
	try {
		await showPage(`/patients?${query}`, 'patients', 'more-patients', patientRow, 5, 'No patient fits.');
		say('search-message', '');
	} catch (error) {
		say('search-message', error.message);
	}
}

function searchZip(zip) {
	$('search').reset();
	$('p-zip').value = zip;
	search();
	$('patients-title').scrollIntoView({behavior: 'smooth'});
}

$('search').addEventListener('submit', (e) => {
	e.preventDefault();
	search();
});

/* A component's value is a string or a number, or what FHIR has for it. */
function plain(v) {
	if (v === null || v === undefined)
		return '–';
	if (typeof v !== 'object')
		return String(v);
	return v.text || v.coding?.find((c) => c.display)?.display || v.coding?.[0]?.code || v.value || JSON.stringify(v);
}

function value(o) {
	if (o.value_quantity !== null)
		return `${o.value_comparator || ''}${o.value_quantity} ${o.value_unit || ''}`.trim();
	if (o.value_boolean !== null)
		return o.value_boolean ? 'yes' : 'no';
	if (o.components)
		return o.components.map((c) => `${c.display || c.code || ''}: ${plain(c.value)} ${c.unit || ''}`.trim()).join('; ');
	return o.value_text || o.value_at || o.absent_reason || '–';
}

function observationRow(o) {
	return node('tr', {},
		node('td', {}, o.effective_precision === 'second' ? when(o.effective_at) : (o.effective_at || '–').slice(0, 10)),
		node('td', {}, o.code_display || o.code_text || '–'),
		node('td', {}, node('code', {}, o.code || '–')),
		node('td', {}, value(o)),
		node('td', {}, o.category || '–'),
		node('td', {}, o.status));
}

async function showObservations(patient, name) {
	$('observations-card').hidden = false;
	$('observations-title').textContent = `Observations of ${name}`;
	await showPage(`/observations?patient_id=${encodeURIComponent(patient.id)}&limit=50`, 'observations', 'more-observations',
		observationRow, 6, 'None.');
	$('observations-card').focus();
}

showReadiness();
setInterval(showReadiness, 10000);
showZips().catch((error) => say('load-message', error.message));
showRuns().catch((error) => say('load-message', error.message));
search();
