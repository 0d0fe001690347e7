// Kernels around a strategy's texts. Not C as it stands: `emit_cuda` puts the sections together and replaces what stands
// between at signs, a line of its own by lines at the same depth.

//// candidate
// What the texts read of candidate c is at fixed distances from these.
const int *my_windows = windows + (whole)(c / LOT) * (LOT * @n_windows@) + c % LOT;
const double *my_params = params + (whole)(c / LOT) * (LOT * @n_variables@) + c % LOT;
const bool *my_floats = floats + (whole)(c / LOT) * (LOT * @n_variables@) + c % LOT;

//// hold
// A row with a position: `decision` and `label` are set when it is sold here. The day's last row sells by force.
label = 0;
decision = i >= last;
if (!decision) {
    const double sold = quantity * COLUMN(LAST_PRICE, i);
    const double net = net_amount(bought_fee, sold, costs[3 * s], costs[3 * s + 1], costs[3 * s + 2]);
    const double gain = net - bought;
    const double pct = profit_pct(bought, net);
    if (pct > best) {
        best = pct;
    } else if (pct < worst) {
        worst = pct;
    }
    const double held = COLUMN(SECONDS, i) - since;
    @sell@
    if (fault >= 0) {
        break;
    }
    if (decision) {
        decision = sale_price(&COLUMN(0, i), quantity, (int)bid_levels) > 0.0;
    }
}

//// record
const whole slot = (whole)atomicAdd(count, 1ULL);
if (slot < capacity) {
    places[5 * slot] = c;
    places[5 * slot + 1] = s;
    places[5 * slot + 2] = b;
    places[5 * slot + 3] = i;
    places[5 * slot + 4] = label;
    prices[slot] = SALE_PRICE;
}

//// earn
const double sold = quantity * (double)SALE_PRICE;
const whole profit = (whole)net_amount(bought_fee, sold, costs[3 * s], costs[3 * s + 1], costs[3 * s + 2]) - (whole)bought;
const whole held_s = (whole)(COLUMN(SECONDS, i) - since);

//// add
// Whole numbers: the sums are the same in whatever order threads come.
atomicAdd(&sums[c], 1ULL);
atomicAdd(&sums[n_candidates + c], profit >= 0 ? 1ULL : 0ULL);
atomicAdd(&sums[2 * n_candidates + c], (unsigned long long)held_s);
atomicAdd(&sums[(3 + days[s]) * n_candidates + c], (unsigned long long)profit);

//// zeros
unsigned long long *my_zeros = zeros + (whole)(c / LOT) * (LOT * @n_zero_lines@) + c % LOT;

//// start
const whole thread = (whole)blockIdx.x * blockDim.x + threadIdx.x;
if (thread >= session_count * candidate_count) {
    return;
}
const int c = (int)(candidate_from + thread % candidate_count);
const int s = (int)(session_from + thread / candidate_count);
const int lo = (int)offsets[s], last = (int)offsets[s + 1] - 1;
const whole start = lo + gates[c] - 1;
if (stopped[c] || (whole)(faults[c] >> 32) < lo@nothing_to_do@) {
    return;
}
const int first = (int)firsts[s];
@candidate@
@zeros@
int fault = -1, label = 0, b = lo;
int i = start < last ? (int)start : last;

//// walk
// A thread is either looking for an entry or holding, and takes one row a turn.
extern "C" __global__ void __launch_bounds__(@threads@) @name@(@arguments@)
{
    @start@
    @marks@
    bool holding = false;
    double quantity = 0.0, bought = 0.0, bought_fee = 0.0, since = 0.0, best = 0.0, worst = 0.0;
    for (;;) {
        if (!holding && i < last) {
            i = following[i];
        }
        @advance@
        if (!holding && i >= last) {
            break;
        }
        const int n = i - lo + 1;
        bool decision = false;
        if (!holding) {
            @buy@
            if (fault >= 0) {
                break;
            }
            if (decision) {
                const double price = entry[2 * (whole)i + 1];
                if (price > 0.0) {
                    holding = true;
                    b = i;
                    since = COLUMN(SECONDS, i);
                    quantity = entry[2 * (whole)i];
                    bought = quantity * price;
                    bought_fee = fee_of(bought, costs[3 * s + 1], costs[3 * s + 2]);
                    best = 0.0;
                    worst = 0.0;
                }
            }
        } else {
            @hold@
            if (decision) {
                @sold@
                holding = false;
            }
        }
        i += 1;
    }
    if (fault >= 0) {
        atomicMin(&faults[c], (unsigned long long)i << 32 | (unsigned long long)fault);
    }
}

//// advance
// Expressions that depend on the candidate are evaluated as its walk goes on: on every row up to the one it has come to, and at
// the end on the rows that are left, because each may fault or count.
for (; done <= i && done < last; ++done) {
    const int i = done, n = i - lo + 1;
    bool decision = false;
    @texts@
}
if (fault >= 0) {
    i = done;
    break;
}

//// fill_elapsed
extern "C" __global__ void __launch_bounds__(@threads@) fill_elapsed(@arguments@)
{
    const whole thread = (whole)blockIdx.x * blockDim.x + threadIdx.x;
    if (thread >= session_count) {
        return;
    }
    const int s = (int)(session_from + thread);
    const int lo = (int)offsets[s], last = (int)offsets[s + 1] - 1;
    const int first = (int)firsts[s];
    const int *my_windows = windows;
    int @marks@;
    for (int i = lo; i < last; ++i) {
        const int n = i - lo + 1;
        bool decision = false;
        @texts@
    }
}

//// fill_outcomes
// What becomes of a buy depends on its row and on what the sell text reads of the parameters: worked out once for every open
// row and every combination of those. Neighbouring threads hold the same entry.
extern "C" __global__ void __launch_bounds__(@threads@) @name@(@arguments@)
{
    const whole thread = (whole)blockIdx.x * blockDim.x + threadIdx.x;
    if (thread >= outcome_count) {
        return;
    }
    const whole outcome = outcome_from + thread;
    const int c = exit_candidates[outcome % n_exits];
    const int b = open_rows[outcome / n_exits], s = open_sessions[outcome / n_exits];
    const int lo = (int)offsets[s], last = (int)offsets[s + 1] - 1;
    const int first = (int)firsts[s];
    @candidate@
    const double since = COLUMN(SECONDS, b), quantity = entry[2 * (whole)b], bought = quantity * entry[2 * (whole)b + 1];
    const double bought_fee = fee_of(bought, costs[3 * s + 1], costs[3 * s + 2]);
    double best = 0.0, worst = 0.0;
    int fault = -1, label = 0, i = b + 1;
    for (;; ++i) {
        const int n = i - lo + 1;
        bool decision = false;
        @hold@
        if (decision) {
            break;
        }
    }
    @remember@
}

//// remember_sale
outcomes[outcome] = (whole)label << 32 | i;

//// remember_result
@earn@
outcomes[2 * outcome] = held_s << 32 | i;
outcomes[2 * outcome + 1] = profit;

//// walk_outcomes
extern "C" __global__ void __launch_bounds__(@threads@) @name@(@arguments@)
{
    @start@
    for (; i < last; ++i) {
        i = following[i];
        if (i >= last) {
            break;
        }
        const int n = i - lo + 1;
        bool decision = false;
        @buy@
        if (fault >= 0) {
            break;
        }
        if (decision && entry[2 * (whole)i + 1] > 0.0) {
            const whole outcome = open_numbers[i] * n_exits + exits[c];
            @recall@
        }
    }
    if (fault >= 0) {
        atomicMin(&faults[c], (unsigned long long)i << 32 | (unsigned long long)fault);
    }
}

//// recall_sale
const double quantity = entry[2 * (whole)i];
b = i;
i = (int)(outcomes[outcome] & 0xffffffff);
label = (int)(outcomes[outcome] >> 32);
@record@

//// recall_result
i = (int)(outcomes[2 * outcome] & 0xffffffff);
const whole held_s = outcomes[2 * outcome] >> 32, profit = outcomes[2 * outcome + 1];
@add@
