// What generated kernels call: Python's and numpy's arithmetic, windows, book and costs, each the same to the last bit as its
// namesake in engine/kernel_runtime.py, engine/costing.py, engine/fills.py, features/rounding.py and features/slices.py.
//
// Only operations that IEEE 754 (or C, for fmod, trunc, rint, floor) defines to the last bit: no pow, no atan2, no contraction
// (compile with -fmad=false), no fast math.

typedef long long whole;

#define QUIET_NAN __longlong_as_double(0x7ff8000000000000LL)
#define POSITIVE_INFINITY __longlong_as_double(0x7ff0000000000000LL)
#define LARGEST_FINITE 1.7976931348623157e308

// BID_PRICE, BID_SIZE (five levels each), LAST_PRICE and SECONDS are columns that every kernel has, defined in front of this file.

__device__ const double POWER_OF_TEN[23] = {
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

__device__ __forceinline__ bool is_finite(double x) { return fabs(x) <= LARGEST_FINITE; }

__device__ __forceinline__ bool is_nan(double x) { return x != x; }

// Rounding

__device__ __forceinline__ double round_tick(double x, whole digits)
{
    if (digits >= 0) {
        return rint(x * POWER_OF_TEN[digits]) / POWER_OF_TEN[digits];
    }
    return rint(x / POWER_OF_TEN[-digits]) * POWER_OF_TEN[-digits];
}

// The exact a * b minus its rounded product (Dekker 1971).
__device__ __forceinline__ double product_error(double a, double b, double product)
{
    const double splitter = 134217729.0;
    double scaled = a * splitter;
    const double a_high = scaled - (scaled - a);
    const double a_low = a - a_high;
    scaled = b * splitter;
    const double b_high = scaled - (scaled - b);
    const double b_low = b - b_high;
    return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low;
}

__device__ __forceinline__ double nearest(double below, double above_half)
{
    return above_half > 0.0 || (above_half == 0.0 && fmod(below, 2.0) == 1.0) ? below + 1.0 : below;
}

__device__ double round_decimal(double x, whole digits)
{
    const double exact = 9007199254740992.0;
    const double size = fabs(x);
    if (digits >= 0) {
        const double scale = POWER_OF_TEN[digits];
        const double scaled = size * scale;
        if (!(scaled < exact)) {
            return x;
        }
        const double below = floor(scaled);
        return copysign(nearest(below, (scaled - below - 0.5) + product_error(size, scale, scaled)) / scale, x);
    }
    const double scale = POWER_OF_TEN[-digits];
    const double quotient = size / scale;
    if (!(quotient < exact)) {
        return x;
    }
    const double below = floor(quotient);
    const double taken = below * scale;
    const double left = (size - taken) - product_error(below, scale, taken);
    return copysign(nearest(below, left - 0.5 * scale) * scale, x);
}

// Division

__device__ double remainder_of(double a, double b)
{
    const double rest = fmod(a, b);
    if (b == 0.0) {
        return rest;
    }
    if (rest != 0.0) {
        return (b < 0.0) != (rest < 0.0) ? rest + b : rest;
    }
    return copysign(0.0, b);
}

__device__ double floor_divide(double a, double b)
{
    if (b == 0.0) {
        return a / b;
    }
    const double rest = fmod(a, b);
    double quotient = (a - rest) / b;
    if (rest != 0.0 && (b < 0.0) != (rest < 0.0)) {
        quotient -= 1.0;
    }
    if (quotient != 0.0) {
        const double below = floor(quotient);
        return quotient - below > 0.5 ? below + 1.0 : below;
    }
    return copysign(0.0, a / b);
}

// Windows over the rows end - length + 1 .. end of a column. Rows are `stride` values apart, so that a row's columns lie side by
// side.

struct Column {
    const double *values;
    whole stride;
    __device__ __forceinline__ double operator[](whole row) const { return values[row * stride]; }
};

__device__ double sum_in_eights(Column values, whole start, whole length)
{
    if (length < 8) {
        double total = 0.0;
        for (whole i = start; i < start + length; ++i) {
            total += values[i];
        }
        return total;
    }
    double s[8];
    for (int k = 0; k < 8; ++k) {
        s[k] = values[start + k];
    }
    const whole tail = length - length % 8;
    for (whole i = start + 8; i < start + tail; i += 8) {
        for (int k = 0; k < 8; ++k) {
            s[k] += values[i + k];
        }
    }
    double total = ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
    for (whole i = start + tail; i < start + length; ++i) {
        total += values[i];
    }
    return total;
}

// numpy's pairwise sum. Halves wait on a stack of their own, because a device function must not need one of unknown depth;
// 24 halvings are enough for 128 * 2**24 rows.
__device__ double pairwise(Column values, whole start, whole length)
{
    struct { whole start, length; double left; int done; } waiting[25];
    double sum = 0.0;
    int top = 0;
    waiting[0].start = start;
    waiting[0].length = length;
    waiting[0].done = 0;
    while (top >= 0) {
        const whole from = waiting[top].start, rows = waiting[top].length;
        const whole half = rows / 2 - rows / 2 % 8;
        if (rows <= 128) {
            sum = sum_in_eights(values, from, rows);
            --top;
        } else if (waiting[top].done == 2) {
            sum = waiting[top].left + sum;
            --top;
        } else {
            const bool second = waiting[top].done == 1;
            if (second) {
                waiting[top].left = sum;
            }
            waiting[top].done += 1;
            ++top;
            waiting[top].start = second ? from + half : from;
            waiting[top].length = second ? rows - half : half;
            waiting[top].done = 0;
        }
    }
    return sum;
}

__device__ double total(Column values, whole end, whole length) { return pairwise(values, end - length + 1, length); }

__device__ double mean3(Column values, whole end, whole length)
{
    return round_tick(pairwise(values, end - length + 1, length) / (double)length, 3);
}

__device__ double whole_mean(Column values, whole end, whole length)
{
    return trunc(pairwise(values, end - length + 1, length) / (double)length);
}

__device__ double highest(Column values, whole end, whole length)
{
    double best = values[end - length + 1];
    for (whole i = end - length + 2; i <= end && !is_nan(best); ++i) {
        const double value = values[i];
        if (value > best || is_nan(value)) {
            best = value;
        }
    }
    return best;
}

__device__ double lowest(Column values, whole end, whole length)
{
    double best = values[end - length + 1];
    for (whole i = end - length + 2; i <= end && !is_nan(best); ++i) {
        const double value = values[i];
        if (value < best || is_nan(value)) {
            best = value;
        }
    }
    return best;
}

// Where `length` stands among the precomputed lengths of a window function, -1 when it does not.
__device__ whole find_length(const whole *lengths, whole n_lengths, whole function, whole length)
{
    for (whole j = 0; j < n_lengths; ++j) {
        if (lengths[function * n_lengths + j] == length) {
            return j;
        }
    }
    return -1;
}

// Costs and fills

__device__ __forceinline__ double fee_of(double amount, double rate, double rounding)
{
    return trunc(amount * rate / rounding) * rounding;
}

// bought_fee: fee_of what was bought, the same on every row of a position.
__device__ __forceinline__ double net_amount(double bought_fee, double sold, double tax_rate, double fee_rate, double rounding)
{
    const double tax = trunc(sold * tax_rate);
    const double fees = bought_fee + fee_of(sold, fee_rate, rounding);
    return trunc(sold - tax - fees);
}

__device__ __forceinline__ double profit_pct(double bought, double net)
{
    return rint((net - bought) / bought * 100.0 * 100.0) / 100.0;
}

// Takes min(remaining, size) from each of the first bid levels of a row; returns the shares filled, and their amount in KRW.
__device__ __forceinline__ double walk_bids(const double *row, double quantity, int levels, double *amount)
{
    double filled = 0.0;
    *amount = 0.0;
    for (int level = 0; level < levels && filled < quantity; ++level) {
        const double price = row[BID_PRICE + level], size = row[BID_SIZE + level];
        if (price > 0.0 && size > 0.0) {
            const double left = quantity - filled;
            const double taken = left < size ? left : size;
            filled += taken;
            *amount += taken * price;
        }
    }
    return filled;
}

// 0 when the bids cannot take it all.
__device__ double sale_price(const double *row, double quantity, int levels)
{
    double amount;
    const double filled = walk_bids(row, quantity, levels, &amount);
    return filled < quantity || !(filled > 0.0) ? 0.0 : rint(amount / quantity);
}

// On the day's last row: the average of what the bids take, the latest price above 0 when they take nothing.
__device__ double forced_sale_price(const double *cols, whole n_columns, whole row, double quantity, int levels)
{
    double amount;
    const double filled = walk_bids(cols + row * n_columns, quantity, levels, &amount);
    if (filled > 0.0) {
        return rint(amount / filled);
    }
    const Column prices = {cols + LAST_PRICE, n_columns};
    while (row > 0 && !(prices[row] > 0.0)) {
        --row;
    }
    return trunc(prices[row]);
}
